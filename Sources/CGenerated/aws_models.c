// Written by Tools/aws_models.py.
#include "CGenerated.h"

static const unsigned char model0[] = {
#embed "aws/autoscaling.txt"
};

static const unsigned char model1[] = {
#embed "aws/cloudformation.txt"
};

static const unsigned char model2[] = {
#embed "aws/cloudtrail.txt"
};

static const unsigned char model3[] = {
#embed "aws/cloudwatch.txt"
};

static const unsigned char model4[] = {
#embed "aws/ec2.txt"
};

static const unsigned char model5[] = {
#embed "aws/eks.txt"
};

static const unsigned char model6[] = {
#embed "aws/eks-auth.txt"
};

static const unsigned char model7[] = {
#embed "aws/elbv2.txt"
};

static const unsigned char model8[] = {
#embed "aws/iam.txt"
};

static const unsigned char model9[] = {
#embed "aws/kms.txt"
};

static const unsigned char model10[] = {
#embed "aws/logs.txt"
};

static const unsigned char model11[] = {
#embed "aws/organizations.txt"
};

static const unsigned char model12[] = {
#embed "aws/route53.txt"
};

static const unsigned char model13[] = {
#embed "aws/ssm.txt"
};

static const unsigned char model14[] = {
#embed "aws/sts.txt"
};

static const struct { const unsigned char *bytes; size_t size; } models[] = {
  {model0, sizeof model0},
  {model1, sizeof model1},
  {model2, sizeof model2},
  {model3, sizeof model3},
  {model4, sizeof model4},
  {model5, sizeof model5},
  {model6, sizeof model6},
  {model7, sizeof model7},
  {model8, sizeof model8},
  {model9, sizeof model9},
  {model10, sizeof model10},
  {model11, sizeof model11},
  {model12, sizeof model12},
  {model13, sizeof model13},
  {model14, sizeof model14},
};

size_t ekswhy_aws_model_count(void) { return sizeof models / sizeof models[0]; }
const unsigned char *ekswhy_aws_model(size_t index) { return models[index].bytes; }
size_t ekswhy_aws_model_size(size_t index) { return models[index].size; }
